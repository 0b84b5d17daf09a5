"""What the pairs of `contrasts` are about, and in which manner they are asked."""

from __future__ import annotations

JOBS = (
    "the release of $entity", "the deployment of $entity", "the backup of $entity",
    "the upload of $entity", "the nightly export of $entity", "the restart of $entity",
    "the migration of $entity", "the roll-out of $entity", "the version bump of $entity",
    "the clean-up of $entity", "the import of $times files", "the rename of $count files",
    "the copying of $entity", "the data repair for $entity", "the $count uploads of $entity",
    "the changelog of $entity", "the installation of $entity", "the test run of $entity",
    "the certificate renewal", "the database update of $entity", "the report for $role",
    "the move of the files to the server", "the resizing of $count pictures", "the weekly report",
    "the publication of $entity", "the reset of the test data", "the sending of the mails",
    "the conversion of $count documents", "the new prices", "the check of $times servers",
)  # fmt: skip
VERBS = (
    "deploy $entity", "copy $entity to the server", "rename $count files", "move the files",
    "update the values of $entity", "back up $entity", "restart $entity", "release $entity",
    "publish $entity", "repair the data of $entity", "build $entity", "upload the build",
    "export the orders", "import $count rows", "convert the pictures", "delete old logs",
    "send the report to $role", "renew the certificate", "change the prices", "patch $entity",
    "install $entity on $times servers", "reset the test data", "sort the mails", "tag $entity",
)  # fmt: skip
SECRET_THINGS = (
    "the API key", "the token of $partner", "the password of $person", "the private key",
    "the credentials of $partner", "the access token", "my password", "the admin password",
    "the key of $partner", "the secret", "our signing key", "the SSH key", "the bearer token",
    "the client secret of $partner", "the database password", "a token", "the licence key",
    "the passphrase", "the webhook secret", "the encryption key", "all credentials",
)  # fmt: skip
ACTS = (
    "connect to $partner", "open the connection", "load the data", "read the configuration",
    "register the listeners", "register $times listeners", "start the timer", "start a thread",
    "fill the cache", "subscribe to $partner", "validate the arguments", "build an index",
    "create the fields", "set the defaults", "read a file", "fetch the data from $partner",
    "call $partner", "open the database", "start polling", "compute the totals", "log in",
    "parse the settings", "allocate the buffers", "restore the state", "attach the events",
)  # fmt: skip
SETUPS = (
    "the setup", "all initialisation", "the loading of the data", "the connection to $partner",
    "the timer", "the listeners", "the defaults", "the call of $partner", "the logic",
    "the registration with $partner", "the reading of the configuration", "the start of the job",
    "the validation", "the assignment of the fields", "the fetch", "the polling loop",
    "the creation of the cache", "everything", "what $entity needs", "the first request",
)  # fmt: skip
PARTS = (
    "the Check section", "the Plan", "the Act section", "the Do section", "the Objective",
    "the links", "the FOLLOWS link", "the PRECEDES link", "the TRON decision", "the PDCA",
    "the verification", "the PDCA of $entity", "Plan and Check", "all sections", "the process",
    "the learning", "the evidence", "the check of $entity", "the plan for $entity",
)  # fmt: skip

KEY_FILES = (
    "the .env file", "the file with the keys", ".env.production", "the .env of $entity", "id_rsa",
    "the key file of $partner", "the file with all passwords", "secrets.json",
    "the .env.local of $person", "the private key file", ".env", "the keystore of $entity",
)  # fmt: skip

PAIR_MANNERS = (
    "$request.", "$request, thank you.", "Hello! $request.", "Ticket $count: $request_lower.",
    "Reminder: $request_lower.", "$request. Is that possible?", "My plan: $request_lower.",
    "$person wrote: $request_lower.", "First: $request_lower.", "$request. Then we are done.",
    "Hi, $request_lower.", "$request, it is for $role.", "Second point. $request.",
    "We decided this: $request_lower.", "$request, as in the last project.",
    "Idea: $request_lower.",
    "In this sprint: $request_lower.", "$request. I rely on you.", "Step $times: $request_lower.",
    "Just one thing: $request_lower.", "$request and tell me when it is done.", "$request",
    "Work item: $request_lower.", "A request by $person. $request.", "$request, $person agrees.",
)  # fmt: skip
