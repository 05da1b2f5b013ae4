"""Learn which style each shopper clicks and buys, and serve every product photo in it."""
