"""The only SQL of the message service, one method for each statement or transaction."""
