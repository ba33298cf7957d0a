"""What the GPU does around a network for each of many batches, so that the host need not wait between them."""
