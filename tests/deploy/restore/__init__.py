"""The drill: deploy/restore against the emulator of tests/deploy/proof, whose tables remember their past.

Without binaries it works on tables that are made of template.yaml and hold items as the store writes them. With binaries it
also deploys the service, restores it to a time before a deletion, and goes on with the restored tables.
"""
