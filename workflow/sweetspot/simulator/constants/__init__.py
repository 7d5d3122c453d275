"""What turns work into seconds and joules: the constants, and the files that hold them."""
