"""What a buyer does with what was sent: looks, asks, chooses, signs, accepts or declines."""
