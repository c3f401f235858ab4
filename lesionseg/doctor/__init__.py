"""The data doctor: everything in a data set that would make results wrong, found before anything is trained."""
