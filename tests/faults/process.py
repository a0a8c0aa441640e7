"""Rows of processes: hung, stopped, starved, restarted."""
from engine import Expect
from place import NO_HEAL, OneNode


class OneWorkerHung(OneNode):
    """Its parent would replace it: it is stopped too, so that the page is all there is."""
    number, variant, fault, did = 2, "named", "one of N workers hung", "SIGSTOP of one worker of four, and of the parent that would replace it"
    config = {"resolver": {"workers": 4}, "health": NO_HEAL}
    expects = [Expect("worker", "worker:answers", "", 15, id="worker 2")]
    may = ("process",)

    def inject(self):
        self.stopped = [self.node.daemon("resolver"), self.node.workers()[2]]
        self.stop_processes(*self.stopped)

    def holds(self):
        assert self.ready() == 503

    def mend(self):
        self.go_on(*self.stopped)
