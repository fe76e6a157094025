"""The paper's settings of its agents (MODEL.md section 7); the numbers in the docstrings are its sections."""

HIDDEN = (50, 20)
"""neurons of the two hidden layers (5.1)"""
LEARNING_RATE = 0.001
"""of Adam (5.2)"""
BATCH = 256
"""transitions for each update (5.2)"""
DISCOUNT = 0.8
"""gamma (5.2)"""
GREEDY = 0.9
"""probability of the best action, from first to last; else a random one ("epsilon-greedy", 5.2)"""
COPY_EVERY = 100
"""updates between copies of the network to the target network (5.2)"""
