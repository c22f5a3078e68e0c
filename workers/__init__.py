"""What runs the workflows and activities: settings, plugin, pools, server."""
