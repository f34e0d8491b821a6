"""The five tools: their options, and the code between records and tensors."""
