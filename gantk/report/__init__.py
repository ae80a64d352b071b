"""What people read: tables and descriptions of models and plugins."""
