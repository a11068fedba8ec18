"""Where to charge, what is printed there, and whose drivers can."""

from operator_sdk.contract.messages import places
from operator_sdk.contract.messages.common import Empty
from operator_sdk.contract.operations.model import Scope, op

PLACES = (
    op(
        "search_stations",
        "GET /v1/station-search",
        Empty,
        places.StationHits,
        (Scope.OPERATOR, Scope.DRIVER),
        "Stations near a place or by name",
        query=places.StationQuery,
        apps=True,
    ),
    op(
        "get_station_detail",
        "GET /v1/station-details/{party_id}/{station_id}",
        Empty,
        places.StationDetail,
        (Scope.OPERATOR, Scope.DRIVER),
        "One station with its connectors' states and its tariff",
        apps=True,
    ),
    op(
        "get_connector_code",
        "GET /v1/connectors/{connector}/code",
        Empty,
        places.ConnectorCode,
        (Scope.OPERATOR, Scope.STAFF),
        "The codes for a connector's label",
        role="host",
        staff_role="stations",
    ),
    op(
        "list_connector_codes",
        "GET /v1/stations/{party_id}/{station_id}/codes",
        Empty,
        places.ConnectorCodes,
        (Scope.OPERATOR, Scope.STAFF),
        "The codes for the labels of a station",
        role="host",
        staff_role="stations",
    ),
    op(
        "list_home_operators",
        "GET /v1/driver/homes",
        Empty,
        places.HomeOperatorPage,
        Scope.PUBLIC,
        "Homes whose drivers can sign in",
        paged=True,
    ),
)
