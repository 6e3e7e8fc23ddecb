"""Alerts: taking them in, following their life, handing them out, and making those of this installation."""
