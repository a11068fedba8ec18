"""The thin typed methods of the sync client about faults, alarms and work orders."""

from datetime import datetime

from operator_sdk.client import calls_upkeep
from operator_sdk.client.runner import SyncRunner
from operator_sdk.contract.messages import upkeep


class SyncUpkeepMethods(SyncRunner):
    """One method per call of `operator_sdk.client.calls_upkeep`, with the same names and arguments."""

    def report_fault(self, message: upkeep.FaultReport) -> upkeep.Fault:
        """Driver: something is wrong with this connector."""
        return self.run(calls_upkeep.report_fault(message))

    def list_my_faults(
        self, *, limit: int | None = None, after: str | None = None, updated_since: datetime | None = None
    ) -> upkeep.FaultPage:
        """Driver: what I reported, and what came of it."""
        return self.run(calls_upkeep.list_my_faults(limit=limit, after=after, updated_since=updated_since))

    def get_my_fault(self, fault_id: str) -> upkeep.Fault:
        """Driver: one of my faults."""
        return self.run(calls_upkeep.get_my_fault(fault_id))

    def list_my_work_orders(
        self, *, limit: int | None = None, after: str | None = None, updated_since: datetime | None = None
    ) -> upkeep.HostWorkOrderPage:
        """Host: work orders at my piles."""
        return self.run(calls_upkeep.list_my_work_orders(limit=limit, after=after, updated_since=updated_since))

    def create_work_order(self, message: upkeep.WorkOrderCreate) -> upkeep.WorkOrderDetail:
        """Dispatcher: open an order."""
        return self.run(calls_upkeep.create_work_order(message))

    def list_work_orders(
        self,
        query: upkeep.WorkOrderQuery,
        *,
        limit: int | None = None,
        after: str | None = None,
        updated_since: datetime | None = None,
    ) -> upkeep.WorkOrderPage:
        """Staff: orders, narrowed; the nearest first where a place is given."""
        return self.run(
            calls_upkeep.list_work_orders(query, limit=limit, after=after, updated_since=updated_since)
        )

    def get_work_order(self, order_id: str) -> upkeep.WorkOrderDetail:
        """Staff: one order with its history."""
        return self.run(calls_upkeep.get_work_order(order_id))

    def assign_work_order(self, order_id: str, message: upkeep.OrderAssign) -> upkeep.WorkOrderDetail:
        """Dispatcher: give an order to a worker."""
        return self.run(calls_upkeep.assign_work_order(order_id, message))

    def take_work_order(self, order_id: str, message: upkeep.OrderChange) -> upkeep.WorkOrderDetail:
        """Worker: take an open order."""
        return self.run(calls_upkeep.take_work_order(order_id, message))

    def accept_work_order(self, order_id: str, message: upkeep.OrderChange) -> upkeep.WorkOrderDetail:
        """Worker: accept what was assigned to me."""
        return self.run(calls_upkeep.accept_work_order(order_id, message))

    def start_work_order(self, order_id: str, message: upkeep.OrderChange) -> upkeep.WorkOrderDetail:
        """Worker: begin the work."""
        return self.run(calls_upkeep.start_work_order(order_id, message))

    def finish_work_order(self, order_id: str, message: upkeep.OrderChange) -> upkeep.WorkOrderDetail:
        """Worker: the work is done."""
        return self.run(calls_upkeep.finish_work_order(order_id, message))

    def confirm_work_order(self, order_id: str, message: upkeep.OrderClose) -> upkeep.WorkOrderDetail:
        """Dispatcher: it is done indeed."""
        return self.run(calls_upkeep.confirm_work_order(order_id, message))

    def reopen_work_order(self, order_id: str, message: upkeep.OrderChange) -> upkeep.WorkOrderDetail:
        """Dispatcher: it is not done after all."""
        return self.run(calls_upkeep.reopen_work_order(order_id, message))

    def cancel_work_order(self, order_id: str, message: upkeep.OrderClose) -> upkeep.WorkOrderDetail:
        """Dispatcher: nothing is to be done."""
        return self.run(calls_upkeep.cancel_work_order(order_id, message))

    def note_work_order(self, order_id: str, message: upkeep.OrderChange) -> upkeep.WorkOrderDetail:
        """Add a note to an order."""
        return self.run(calls_upkeep.note_work_order(order_id, message))

    def work_order_statistics(self, query: upkeep.StatisticsQuery) -> upkeep.WorkOrderStatistics:
        """Staff: counts, and how long orders take."""
        return self.run(calls_upkeep.work_order_statistics(query))

    def list_alarms(
        self,
        query: upkeep.AlarmQuery,
        *,
        limit: int | None = None,
        after: str | None = None,
        updated_since: datetime | None = None,
    ) -> upkeep.AlarmPage:
        """Staff: alarms."""
        return self.run(calls_upkeep.list_alarms(query, limit=limit, after=after, updated_since=updated_since))

    def acknowledge_alarm(self, alarm_id: str) -> upkeep.Alarm:
        """Dispatcher: I have seen it."""
        return self.run(calls_upkeep.acknowledge_alarm(alarm_id))
