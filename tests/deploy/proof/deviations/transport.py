"""Policies that refuse what does not come by TLS."""


def take_loopback_for_tls() -> None:
    """The emulator speaks plain HTTP on loopback, and takes every request as if it had come by TLS. Policies refuse
    everything else (aws:SecureTransport), and no certificate of this machine would be one that functions trust."""
    from ministack import app

    pin_alone = app.pin_request_origin
    app.pin_request_origin = lambda address, _by_tls: pin_alone(address, True)
