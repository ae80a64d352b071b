"""What is measured of data, samples and models."""
