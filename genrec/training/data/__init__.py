"""Training data: the spectrogram archive, its splits, and augmentation."""
