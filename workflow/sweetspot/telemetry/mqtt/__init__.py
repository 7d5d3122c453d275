"""Samples to a broker by MQTT."""
