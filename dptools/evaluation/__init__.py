"""From records to accuracies with intervals. Knows records as plain dictionaries."""
