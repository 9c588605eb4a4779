"""Models: the pocket GPT-2, one from the hub, or a folder, loaded in one way.

Read ``loading``; ``hub`` behind it finds the files: cache first, then the hub, and
never another model instead.
"""

from helpers.models.hub import ModelError, ask_hub, find_folder
from helpers.models.loading import count_parameters, load_model, sizes
