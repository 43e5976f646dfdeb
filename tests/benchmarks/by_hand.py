"""What a user would write by hand: a folder read by Keras, InceptionV3 frozen, a head, five epochs, every run anew.

python -m tests.benchmarks.by_hand FOLDER SIZE
"""

import sys

EPOCHS = 5


def main(folder: str, size: int) -> None:
    """Train on all pictures of a folder; random weights cost what ImageNet's would."""
    import keras

    train, validation = keras.utils.image_dataset_from_directory(
        folder, validation_split=0.2, subset="both", seed=0, image_size=(size, size), verbose=False
    )
    backbone = keras.applications.InceptionV3(
        include_top=False, weights=None, pooling="avg", input_shape=(size, size, 3)
    )
    backbone.trainable = False
    model = keras.Sequential(
        [
            keras.layers.Rescaling(1 / 127.5, offset=-1.0),
            backbone,
            keras.layers.Dense(len(train.class_names), activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(train, validation_data=validation, epochs=EPOCHS, verbose=0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
