"""The paper, experiment by experiment: what it claims in words, and what we observe.

Source: Xue, Wu, Peng, Wolter, DDPQN, IEEE Transactions on Services Computing, 2022, sections 5.2 to 5.9.
"""
