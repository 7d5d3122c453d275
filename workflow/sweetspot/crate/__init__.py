"""A run or a campaign as an RO-Crate: its files, and in JSON-LD what they are and who made them.

Source: RO-Crate 1.1 (https://w3id.org/ro/crate/1.1), Workflow Run Crate and Process Run Crate 0.5
(https://w3id.org/ro/wfrun/workflow/0.5). The JSON-LD is written plainly: it is a list of mappings,
which the package `rocrate`, with four more that it needs, would not make shorter. The tests read it
with that package.
"""
