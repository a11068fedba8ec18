"""Other spellings of the standard's field names that platforms in the field send.

Names are compared without regard to case, so only spellings that differ in more are listed. An alias counts
only in a message that has the standard's field, and never where the message has a field of the alias's own
name. The names of lists are taken without their final `s` too, and the names of objects with one.
"""

ALIASES: dict[str, tuple[str, ...]] = {
    "SevicePrice": ("ServicePrice", "SerPrice"),
    "SeviceMoney": ("ServiceMoney",),
    "DetailSeviceMoney": ("DetailServiceMoney",),
    "TotalSeviceMoney": ("TotalServiceMoney",),
    "ElecPrice": ("ElectPrice", "ElectricPrice"),
    "ElecMoney": ("ElectMoney",),
    "DetailElecMoney": ("DetailElectMoney",),
    "TotalElecMoney": ("TotalElectMoney",),
    "BusineHours": ("BusinessHours", "BusinesHours", "BusineHour"),
    "SumPeriod": ("SubPeriod",),
    "StartTime": ("StarTime",),
    "DetailStartTime": ("DetailStarTime",),
    "OperatorID": ("OperationID",),
    "ConnectorStatusInfo": ("StationStatusInfo", "StationStatusInfos"),
    "StationStats": ("StationStatsInfo", "StationStatsInfos"),
    "ConnectorStatsInfos": ("ConnectorStats",),
    "EquipmentStatsInfos": ("EquipmentStats",),
    "PlateNo": ("PlateNum", "LicensePlate"),
    "PlateNum": ("PlateNo", "LicensePlate"),
    "Phone": ("PhoneNum",),
    "PhoneNum": ("Phone",),
    "VoltageUpperLimits": ("VoltageUpperLimit",),
    "VoltageLowerLimits": ("VoltageLowerLimit",),
    "ParkNums": ("ParkNum",),
    "FailReasonMsg": ("FailReasonMessage",),
}
"""Standard name -> spellings seen for it."""
