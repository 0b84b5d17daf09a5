"""What must hold while a model trains: softmax backward, caches, gradients, rates, threads."""
