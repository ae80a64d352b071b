"""The recipe for one's own pictures: it looks at them and chooses parts, sizes and length."""
