"""What data must look like, said once by a dataclass: checked, written as JSON, and described.

`keys` are what a type can say of its values, `reading` makes data its instances or names all that
is wrong with them, `writing` gives the JSON of one, and `describing` its JSON schema.
"""
