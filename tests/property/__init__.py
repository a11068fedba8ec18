"""What holds for generated inputs."""
