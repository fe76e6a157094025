"""What devices can do, links carry and hours cost, each figure with source and range; and how long layers take.

The figures are in `data/`, TOML files for people to read. `catalogue` reads them, and a user's own over them;
`cost_model` tells a layer's time on a device, with its spread.
"""
