"""Speed of gradevo, Jaxley and NEURON on one model, one machine, in one run: ``gradevo bench``, or ``make bench``.

Every contestant runs in a process of its own (``worker``) and waits while another is timed.
"""
