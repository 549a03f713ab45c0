//! `fix --azure`: the login behind it, and the wait until Entra takes the token.

use super::Args;
use super::session::{Session, Stop};
use super::verify::WAIT;
use crate::azure::object::credential_from;
use crate::azure::{Authority, CloudName, ExchangeRequest, Proxies, Rejection, Service, Transport, exchange};
use crate::cli::Surroundings;
use crate::cluster::{Client, Environment, TokenQuery};
use crate::fix::plan::{Outcome, Plan, PlanStep};
use crate::inspect::Input;
use crate::report::style::clean;
use crate::token::difference::account;
use crate::token::jwt::RawToken;
use secrecy::ExposeSecret;
use std::time::Duration;
use tokio::time::Instant;

/// Before the first exchange: asking before Entra has seen a credential prolongs the time until it does.
const FIRST: Duration = Duration::from_secs(30);
/// The longest pause between two exchanges.
const LONGEST: Duration = Duration::from_secs(120);
/// The time for one exchange.
const EXCHANGE: Duration = Duration::from_secs(10);

/// Exchanges a token for every credential that was written, until Entra takes it or the time is up; whether it took
/// all of them. What cannot be tried is said.
pub(super) async fn await_entra(
    client: &Client,
    args: &Args,
    plan: &Plan,
    input: &Input,
    session: &Session<'_>,
    around: &mut Surroundings<'_>,
) -> Result<bool, Stop> {
    let until = Instant::now() + args.timeout.unwrap_or(WAIT);
    let mut all = true;
    let written = |step: &&PlanStep| step.outcome == Outcome::Applied && !step.desired.is_null();
    for step in plan.steps.iter().filter(written) {
        let Some(trial) = Trial::of(step, input) else { continue };
        session
            .say(&format!("waiting {} s before Entra is asked: asking sooner takes longer", FIRST.as_secs()), around)?;
        let (taken, line) = match trial.run(client, until).await {
            Ended::Taken => (true, format!("Entra takes the token of {}", trial.subject)),
            Ended::NotTried(why) => (true, format!("the exchange could not be tried: {why}")),
            Ended::OutOfTime(why) => (false, format!("Entra does not take the token of {} yet: {why}", trial.subject)),
        };
        all &= taken;
        session.say(&clean(&line), around)?;
    }
    Ok(all)
}

/// An exchange that shows whether a credential counts.
struct Trial {
    tenant: Option<String>,
    client_id: String,
    authority: Option<String>,
    subject: String,
    audience: String,
}

enum Ended {
    Taken,
    NotTried(String),
    OutOfTime(String),
}

impl Trial {
    fn of(step: &PlanStep, input: &Input) -> Option<Self> {
        let (identity, _) = crate::azure::object::credential_of(&step.object)?;
        let credential = credential_from(&step.desired)?;
        let (client, facts) =
            input.azure.identities.iter().find(|(_, facts)| facts.found().is_some_and(|found| found.id == identity))?;
        let tenant = facts.found()?.identity.known().and_then(|identity| identity.tenant_id);
        let webhook = input.cluster.webhook.known().map(|webhook| &webhook.settings);
        Some(Self {
            tenant: tenant
                .map(|tenant| tenant.to_string())
                .or_else(|| webhook.and_then(|settings| settings.tenant_id.clone())),
            client_id: client.to_string(),
            authority: webhook.and_then(|settings| settings.authority_host.clone()),
            subject: credential.subject?,
            audience: credential.audiences.into_iter().next()?,
        })
    }

    /// The host: the environment's, which the user has set, before the webhook's, which has to be Microsoft's.
    fn host(&self, environment: &Environment) -> Result<Authority, crate::azure::Error> {
        match (environment.text("AZURE_AUTHORITY_HOST"), &self.authority) {
            (Some(given), _) => Authority::given(given),
            (None, Some(known)) => Authority::known(known),
            (None, None) => Ok(Authority::of_cloud(CloudName::of_cli(environment).unwrap_or_default())),
        }
    }

    async fn run(&self, client: &Client, until: Instant) -> Ended {
        let environment = Environment::of_process();
        let authority = match self.host(&environment) {
            Ok(authority) => authority,
            Err(error) => return Ended::NotTried(error.to_string()),
        };
        let transport = match Transport::new(EXCHANGE, Proxies::of(&environment), Vec::new()) {
            Ok(transport) => transport,
            Err(error) => return Ended::NotTried(error.to_string()),
        };
        let Some(tenant) = &self.tenant else { return Ended::NotTried("the tenant is not known".to_owned()) };
        let Some((namespace, name)) = account(&self.subject) else {
            return Ended::NotTried("the credential names no service account".to_owned());
        };
        let cloud = CloudName::of_authority(&authority.to_string()).unwrap_or_default().cloud();
        let mut last = "there was no time to ask".to_owned();
        for pause in pauses(FIRST, LONGEST) {
            if Instant::now() + pause > until {
                return Ended::OutOfTime(last);
            }
            tokio::time::sleep(pause).await;
            // A token of its own each time: one that Entra has refused may be remembered there.
            let query = TokenQuery {
                namespace,
                service_account: name,
                audience: &self.audience,
                expiration_seconds: 600,
                pod: None,
            };
            let token = match client.request_token(&query).await {
                Ok(token) => RawToken::new(token.token.expose_secret().to_owned()),
                Err(error) => return Ended::NotTried(error.to_string()),
            };
            let request = ExchangeRequest {
                authority: &authority,
                tenant,
                client_id: &self.client_id,
                resource: cloud.resource(Service::Arm),
                assertion: &token,
            };
            last = match exchange(&transport, &request).await {
                Ok(_) => return Ended::Taken,
                Err(Rejection::Entra { error, .. }) => error.to_string(),
                Err(Rejection::NoAnswer(error)) => return Ended::NotTried(error.to_string()),
            };
        }
        Ended::OutOfTime(last)
    }
}

/// The pauses before each exchange: the first one, then growing by half.
fn pauses(first: Duration, longest: Duration) -> impl Iterator<Item = Duration> {
    std::iter::successors(Some(first), move |pause| Some((*pause * 3 / 2).min(longest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_exchange_waits_and_the_pauses_grow() {
        let seconds: Vec<u64> = pauses(FIRST, LONGEST).take(6).map(|pause| pause.as_secs()).collect();
        assert_eq!(seconds, [30, 45, 67, 101, 120, 120]);
    }
}
