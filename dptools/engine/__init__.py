"""Where a Stage runs. An engine turns samples into finished samples and knows nothing of what is done to them."""
