// Every document this page sends, as it stands in the schema.

const ERROR = `__typename
  ... on UserError { code message }
  ... on TooManyRequests { retryAfterS }
  ... on Unavailable { retryAfterS }
  ... on InvalidInput { field }`;

const HIT = `id name address partyName latitudeE6 longitudeE6 distanceM connectorsTotal connectorsAvailable
  connectorsAc connectorsDc maxPowerW priceNowMicro`;
const TIME_FEE = "{ priceMicroPerHour freeMinutes cap }";
const TARIFF = `tariff { tariffId version utcOffsetMinutes periods { startMinute endMinute electricityMicro serviceMicro band bandText }
    parking ${TIME_FEE} idle ${TIME_FEE} binding }`;
const PLACE = "place { stationId stationName address pileId kind kindText ratedPowerW }";
const SESSION = `id state stateText connector energy amount powerW percent secondsLeft lastNumber limit
  createdAt startedAt endedAt stopReason stopReasonText refusalMessage ${PLACE}`;
const TOKENS = "... on SignedIn { accessToken expiresInS refreshToken }";
const FAULT = `id connector stationName kind kindText text photos state stateText orderState orderStateText
  outcome reportedAt`;
const PAGE = "pageInfo { hasNextPage endCursor }";

export const STATIONS = `query($near: PointInput, $search: String!, $after: String) {
  stations(near: $near, search: $search, first: 20, after: $after) { edges { node { ${HIT} } } ${PAGE} } }`;

export const STATIONS_AROUND = `query($near: PointInput!) {
  stations(near: $near, first: 50) { edges { node { ${HIT} } } } }`;

export const STATION = `query($id: ID!) {
  now
  station(id: $id) {
    id name address partyName latitudeE6 longitudeE6 connectorsTotal priceNowMicro
    tariffs { kind kindText ${TARIFF} }
    connectors { id pileId kind kindText ratedPowerW state stateText }
  } }`;

export const RESOLVE_SCAN = `query($code: String!) {
  now
  result: resolveScan(code: $code) {
    ... on ScannedConnector {
      scanId connector stationName address kind kindText ratedPowerW state stateText hold ${TARIFF}
    }
    ${ERROR}
  } }`;

export const START = `mutation($input: StartChargingInput!) {
  result: startCharging(input: $input) { ... on ChargingSession { id } ${ERROR} } }`;

export const STOP = `mutation($input: StopChargingInput!) {
  result: stopCharging(input: $input) { ... on ChargingStop { sessionId state stateText } ${ERROR} } }`;

export const REPORT_FAULT = `mutation($input: ReportFaultInput!) {
  result: reportFault(input: $input) { ... on Fault { id } ${ERROR} } }`;

export const HOMES = `query($after: String) {
  homeOperators(first: 50, after: $after) { edges { node { partyId name byCode byAssertion } } ${PAGE} } }`;

export const SEND_CODE = `mutation($home: ID!, $phone: String!) {
  result: requestSignInCode(homePartyId: $home, phone: $phone) { ... on SignInCodeSent { expiresInS } ${ERROR} } }`;

export const SIGN_IN_BY_CODE = `mutation($home: ID!, $phone: String!, $code: String!) {
  result: signInWithCode(homePartyId: $home, phone: $phone, code: $code) { ${TOKENS} ${ERROR} } }`;

export const SIGN_IN_BY_ASSERTION = `mutation($assertion: String!) {
  result: signInWithAssertion(assertion: $assertion) { ${TOKENS} ${ERROR} } }`;

export const REFRESH = `mutation($refreshToken: String!) {
  result: refreshSignIn(refreshToken: $refreshToken) { ${TOKENS} ${ERROR} } }`;

export const SESSION_BY_ID = `query($id: ID!) { chargingSession(id: $id) { ${SESSION} } }`;

export const NEWEST_SESSIONS = `{ chargingSessions(first: 5) {
  edges { node { id state energy amount place { stationName } } } } }`;

export const SESSIONS = `query($after: String) {
  chargingSessions(first: 20, after: $after) {
    edges { node { id state stateText connector energy amount createdAt startedAt place { stationName } } } ${PAGE}
  } }`;

export const PROGRESS = `subscription($id: ID!, $after: Int!) {
  chargingProgress(sessionId: $id, after: $after) {
    number at state stateText energy amount powerW percent secondsLeft socPercent stopReason stopReasonText
  } }`;

export const RECORDS = `query($after: String) {
  chargeRecords(first: 20, after: $after) {
    edges { node { id state stateText energy amount startedAt endedAt connector place { stationName } } } ${PAGE}
  } }`;

export const NEWEST_RECORDS = `query($after: String) {
  chargeRecords(first: 10, after: $after) { edges { node { id sessionId updatedAt } } ${PAGE} } }`;

export const RECORD = `query($id: ID!) {
  chargeRecord(id: $id) {
    id sessionId state stateText connector startedAt endedAt meterStart meterEnd metered energy electricity service parking idle
    amount stopReason stopReasonText ${PLACE}
    lines { start end energy electricityMicro serviceMicro electricity service }
    fees { kind start end priceMicroPerHour amount }
    settlement { driverAmount captured released settledAt }
  } }`;

export const ME = "{ me { homePartyId name subject wallet { balance held debt } } }";

export const FAULTS = `query($after: String) {
  faults(first: 20, after: $after) { edges { node { ${FAULT} } } ${PAGE} } }`;
