"""The screens of the documents, made by the command that they show.

A block of a document that begins with ``$ `` stands under a marker, ``<!-- screen: NAME -->``,
which names the scenario (``scenarios``) that sets the stage for it. The test types what the block
says at a terminal of 80 columns and compares what then stands there with the block, letter by
letter; ``./dev docs`` writes the blocks anew.

What would differ from run to run is fixed in the command's process (``process``): how long a run
took, the pid, whose addresses the names of hosts are, and that no file system remembers what was
read. On the screen are replaced: the home folder's name, which is as long as ``/home/anna``; times
of the day, boundaries, links, and the tests' server (``stage``). A scenario may leave lines out
that no two runs have in common; ``...`` stands for them.
"""
