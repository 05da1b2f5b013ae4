"""What test_train.py starts by itself and under torchrun: train PHOTOS STYLES into OUT by RECIPE.json."""

import sys
from pathlib import Path

from narrow_vgg import narrow_vgg_weights

from stylize.training.recipe_files import read_recipe
from stylize.training.train import train

if __name__ == "__main__":
    photos, styles, out, recipe = map(Path, sys.argv[1:])
    train(photos, styles, out, read_recipe(recipe), narrow_vgg_weights())
