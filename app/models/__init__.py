"""Qt item models and the pure arranging behind them."""
