"""Tables and figures of papers, as reproductions."""
