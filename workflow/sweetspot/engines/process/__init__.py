"""Programs started under a guard that ends them with their job, in a container or not."""
