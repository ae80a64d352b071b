"""Tables, descriptions and pictures for users."""
