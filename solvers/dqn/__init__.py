"""The DQN family: one agent with three switches (MODEL.md section 7)."""
