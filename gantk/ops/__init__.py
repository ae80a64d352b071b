"""What must be fast: native code behind tensors, and a plain-torch reference of each operation."""
