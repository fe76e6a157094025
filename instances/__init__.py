"""The instances that ship with offbench, and how they were made (`build`)."""
