"""Networks from model files and profiles; an importer is a module here, found by the endings that it reads."""
