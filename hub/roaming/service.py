"""The use cases of this room, built once."""

from hub.roaming.authorizing import Authorizing
from hub.roaming.charges import Charges
from hub.roaming.context import RoamingContext
from hub.roaming.credits import Credits
from hub.roaming.deciding import Deciding
from hub.roaming.disputes import Disputes
from hub.roaming.following import Following
from hub.roaming.forwarding import Forwarding
from hub.roaming.jobs import RoamingJobs
from hub.roaming.labels import Labels
from hub.roaming.reading import Reading
from hub.roaming.records import Records
from hub.roaming.releasing import Releasing
from hub.roaming.scans import Scans
from hub.roaming.silence import Silence
from hub.roaming.starting import Starting
from hub.roaming.stopping import Stopping
from hub.roaming.trust import Trust


class Roaming:
    """One attribute per noun."""

    def __init__(self, context: RoamingContext) -> None:
        charges = Charges(context)
        self.authorizing = Authorizing(context, charges)
        self.starting = Starting(context, charges)
        self.stopping = Stopping(context)
        self.following = Following(context, charges, self.stopping)
        self.forwarding = Forwarding(context)
        self.records = Records(context)
        self.credits = Credits(context, self.records)
        self.disputes = Disputes(context, self.credits)
        self.deciding = Deciding(context)
        self.releasing = Releasing(context, charges, self.stopping)
        self.trust = Trust(context)
        self.scans = Scans(context)
        self.labels = Labels(context, self.scans)
        self.reading = Reading(context)
        self.silence = Silence(context, self.following, self.stopping)
        self.jobs = RoamingJobs(
            context,
            charges,
            self.stopping,
            following=self.following,
            records=self.records,
            disputes=self.disputes,
        )
        self.jobs.register()
        self._stores = [store for store in (context.authorize_store, context.update_store) if store is not None]

    async def close(self) -> None:
        """Close the set-based writers' connections."""
        for store in self._stores:
            await store.close()
