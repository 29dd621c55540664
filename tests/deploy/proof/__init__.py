"""The deploy proof: template.yaml, deployed to an AWS emulator on this machine, and the service in it tried.

artifacts, template, deploy   what `sam build` and `sam deploy` do, without an account
emulator, emulator_main       the emulator's process
deviations/                   everything in which the run is not the template on AWS
deployment, api               what was deployed, as its operator and as its clients see it
test_1_journey ...            what has to hold, in the order in which it is told
"""
