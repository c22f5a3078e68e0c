"""One module per pattern; its ``run`` reads like its diagram."""
