"""What an offer comes to: lines, discounts, taxes, what is due when. Pure, for devices and the server (R33-R36)."""
