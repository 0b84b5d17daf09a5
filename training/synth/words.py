"""The vocabulary of the generated sets: things, fields, tasks, defects, people. Nothing is real."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

QUALIFIERS = (
    "Order", "Invoice", "Session", "Payment", "Profile", "Basket", "Catalog", "Ticket",
    "Message", "Report", "Sensor", "Route", "Metric", "Upload", "Release", "Document",
    "Search", "Account", "Calendar", "Device", "Comment", "Coupon", "Delivery", "Export",
    "Feature", "Gallery", "Health", "Import", "Journal", "Keyword", "Layout", "Member",
    "Notice", "Offer", "Package", "Query", "Rating", "Schedule", "Template", "Usage",
    "Vendor", "Widget", "Workflow", "Address", "Badge", "Channel", "Deposit", "Event",
    "Folder", "Garage", "Harbor", "Ledger", "Market", "Network", "Parcel", "Quota",
    "Region", "Signal", "Tenant", "Voucher", "Wallet", "Archive", "Backup", "Cluster",
    "Draft", "Employee", "Forecast", "Glossary", "Holiday", "Inventory",
)  # fmt: skip
ROLES = (
    "Store", "Cache", "Service", "Controller", "Registry", "Manager", "Parser", "Queue",
    "Builder", "Loader", "Tracker", "Router", "Monitor", "Validator", "Renderer", "Planner",
    "Adapter", "Gateway", "Scheduler", "Indexer", "Resolver", "Collector", "Formatter",
    "Exporter", "Notifier", "Watcher", "Counter", "Mapper", "Reader", "Writer",
)  # fmt: skip
FIELDS: Sequence[tuple[str, str, str, str]] = (
    ("items", "string[]", "[]", "a list of item names"),
    ("limit", "number", "50", "an upper limit"),
    ("enabled", "boolean", "true", "an 'enabled' flag"),
    ("label", "string", "'default'", "a display label"),
    ("retries", "number", "3", "how often it retries"),
    ("entries", "Map<string, number>", "new Map()", "a map of counts by key"),
    ("owner", "string", "'system'", "the name of its owner"),
    ("timeoutMs", "number", "5000", "a timeout in milliseconds"),
    ("listeners", "string[]", "[]", "the names of its listeners"),
    ("active", "boolean", "false", "an 'active' flag"),
    ("prefix", "string", "'app'", "a prefix for its keys"),
    ("scores", "Map<string, number>", "new Map()", "scores by name"),
    ("pageSize", "number", "25", "the size of a page"),
    ("tags", "string[]", "[]", "a list of tags"),
    ("locale", "string", "'en'", "the locale of its texts"),
    ("verbose", "boolean", "false", "a 'verbose' flag"),
    ("capacity", "number", "100", "its capacity"),
    ("region", "string", "'eu-west'", "the region that it serves"),
    ("history", "string[]", "[]", "a history of states"),
    ("weights", "Map<string, number>", "new Map()", "weights by key"),
    ("version", "number", "1", "a version number"),
    ("channel", "string", "'main'", "the channel that it uses"),
    ("locked", "boolean", "false", "a 'locked' flag"),
    ("errors", "string[]", "[]", "the errors seen so far"),
    ("threshold", "number", "10", "a threshold for alerts"),
    ("format", "string", "'json'", "the output format"),
    ("visits", "Map<string, number>", "new Map()", "visits by page"),
    ("paused", "boolean", "true", "a 'paused' flag"),
    ("batchSize", "number", "20", "the size of a batch"),
    ("stock", "Map<string, number>", "new Map()", "stock by article"),
    ("author", "string", "'unknown'", "the author of the last change"),
    ("pending", "string[]", "[]", "the ids that are pending"),
    ("delayMs", "number", "250", "a delay in milliseconds"),
    ("strict", "boolean", "true", "a 'strict' flag"),
    ("theme", "string", "'light'", "the theme in use"),
)
POOLS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "defect": (
            "a stale cache entry", "a race between two writers", "a missing null check",
            "an unhandled promise rejection", "a wrong date format", "a memory leak",
            "an off-by-one error in paging", "a broken relative import", "a lost update",
            "duplicated event listeners", "a timeout that is too short", "a wrong default value",
            "an index that is out of date", "a swallowed exception", "a circular import",
            "a wrong sort order", "a retry without a limit", "a file handle that stays open",
            "rounding of amounts too early", "a flag that is never reset",
        ),
        "goal": (
            "requests stay below 200 ms", "no record is lost on restart",
            "every state can be restored from a scenario", "all tests pass twice in a row",
            "a new member can follow the code", "errors name the file and the line",
            "the build stays green", "the interface stays the same for callers",
            "no step is done by hand", "the log shows each decision",
            "two users can work at once", "a failed call is tried again at most three times",
            "the report is complete by noon", "memory use stays flat over a day",
            "the change can be undone in one step",
        ),
        "partner": (
            "the billing system", "the message broker", "the search index", "the mail gateway",
            "the audit log", "the single sign-on server", "the data warehouse",
            "the feature flag server", "the map provider", "the print service",
            "the metrics collector", "the backup storage", "the translation service",
            "the partner portal", "the mobile client",
        ),
        "role": (
            "a new colleague", "the reviewer", "the release team", "an architect",
            "the product owner", "a tester", "the support team", "a junior developer",
            "the platform group", "an external auditor", "the on-call engineer",
            "a technical writer", "the security officer", "a student", "the data team",
        ),
        "person": (
            "Mara", "Jonas", "Priya", "Tomas", "Aiko", "Lena", "Omar", "Sofia", "Pavel", "Ines",
            "Noah", "Greta", "Ravi", "Elif", "Hugo", "Nadia", "Felix", "Chloe", "Anton", "Yara",
        ),
        "property": (
            "retry handling", "input validation", "a health check", "structured logging",
            "a cache", "paging", "an undo step", "a dry-run mode", "rate limiting",
            "a status view", "bulk import", "an event hook", "a time limit", "a summary page",
            "role checks", "an export to CSV", "keyboard navigation", "a search field",
            "a change history", "an offline mode",
        ),
        "trouble": (
            "its constructor does too much work", "two classes hold the same state",
            "one method has grown to three screens", "tests need the network to pass",
            "names no longer say what the parts do", "state is spread over global variables",
            "callers reach into private fields", "copied code has drifted apart",
            "the setup order matters and nobody knows it", "every change breaks the tests",
        ),
        "duty": (
            "counts visits per page", "keeps the latest messages", "checks that a name is free",
            "sends a reminder each day", "collects errors and groups them",
            "holds the settings of a user", "limits how many calls are made",
            "sorts articles by price", "converts amounts between currencies",
            "tracks who is online", "stores drafts until they are published",
            "remembers what was searched", "merges two lists without doubles",
            "shows progress of an upload", "locks a record while it is edited",
            "plans the next run of a job", "filters a table by date", "groups orders by customer",
            "warns when stock is low", "undoes the last change",
        ),
        "kind": (
            "the unit tests", "the mocks", "the snapshots", "a new suite", "the fake timers",
            "the coverage", "the spies", "the integration tests", "the test of init()",
            "all test files",
        ),
        "chore": (
            "the release of $entity", "the deployment of $entity", "the backup of $entity",
            "the upload of $entity", "the export from $entity", "the restart of $entity",
            "the migration of $entity", "the file copy for $entity", "the roll-out of $entity",
            "the repair of the data of $entity",
        ),
        "manually": (
            "by hand", "manually", "with the mouse", "in the live system", "file by file",
            "over the console", "without a script", "by copy and paste", "on the server itself",
            "with drag and drop",
        ),
        "automatically": (
            "with a script", "by a job", "in the build", "automatically", "with a versioned script",
            "by a scheduled task", "in the pipeline", "without manual steps", "with one command",
            "by a tested script",
        ),
        "secret": (
            "the API key", "the token", "the password", "the private key", "the credentials",
            "the access token", "the client secret", "the signing key", "the database password",
            "the key of the licence",
        ),
        "exposed": (
            "the source", "a constant", "the repository", "the code", "the tests", "a comment",
            "a committed file", "the class", "package.json", "the README",
        ),
        "guarded": (
            "an environment variable", "a vault", "the secret store", "the environment",
            "the key manager", "the vault of the team", "a variable of the environment",
            "the secrets of the pipeline", "the password manager", "a store outside the repository",
        ),
        "part": (
            "the Check section", "the Plan section", "the links", "the Act section",
            "the Objective", "the TRON decision", "the Do section", "the FOLLOWS link",
            "the verification", "what was learned",
        ),
        "setup": (
            "the setup", "the configuration", "the connection to $partner", "the timer",
            "the listeners", "the loading of the data", "the fields", "the cache",
            "the first call of $partner", "the registration with $partner",
        ),
        "meeting": (
            "the sprint review", "a pairing session", "the weekly planning", "an incident review",
            "the design round", "a handover", "the retrospective", "the onboarding day",
            "a code review", "the release meeting",
        ),
    }
)  # fmt: skip
"""Slots that any template may use; `task` and `entity` are filled by the sets themselves."""
