"""The five tools: options, and the code between records and tensors."""
