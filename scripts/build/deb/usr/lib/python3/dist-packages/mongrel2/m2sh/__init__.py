"""The commands of m2sh: main.py is the way in, each command is a function in *_commands.py."""
