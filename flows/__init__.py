"""What can be started: the flows that deployments and the command line run, each a list of steps in their order."""
