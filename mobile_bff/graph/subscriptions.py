"""What can be followed."""

from collections.abc import AsyncGenerator

import strawberry

from mobile_bff.graph.charging import ChargingProgress, progress_of
from mobile_bff.graph.context import Info
from mobile_bff.refused import Refused
from operator_sdk.contract.public_codes import Code

NUMBER_MOST = 2_000_000_000


@strawberry.type
class Subscription:
    @strawberry.subscription(
        description="The updates of a charge above `after`, in order, until it has ended. "
        "Ends with an error of code token_invalid when the driver's token does: refresh it and go on from the "
        "last number."
    )
    async def charging_progress(
        self, info: Info, session_id: strawberry.ID, after: int = 0
    ) -> AsyncGenerator[ChargingProgress, None]:
        context = info.context
        if not 0 <= after <= NUMBER_MOST:
            raise Refused(Code.MALFORMED, field="after")
        driver = context.driver or await context.services.drivers.of(context.token)
        context.services.limiter.take(driver.name)
        async for update in context.services.feeds.follow(driver, context.caller, session_id, after):
            context.renew()
            yield progress_of(update)
