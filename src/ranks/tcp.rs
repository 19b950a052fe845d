//! Ranks over TCP, for a network whose machines trust each other: nothing is encrypted and nobody is asked who they are.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::train::{Ranks, RanksError};

/// Time in which all ranks must have met.
const MEETING: Duration = Duration::from_secs(120);
/// Time between two tries to reach a rank that is not there yet.
const AGAIN: Duration = Duration::from_millis(50);
/// Beginning of a greeting, by which a rank is told from a stranger.
const GREETING: [u8; 8] = *b"tilepre1";

/// Number of a rank, and where the first one is met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    rank: usize,
    count: usize,
    /// Address of rank 0, with its port.
    first: String,
}

impl Place {
    /// As the variables `RANK`, `WORLD_SIZE`, `MASTER_ADDR` and `MASTER_PORT` say; the only rank where there is none of them.
    pub(super) fn of_environment() -> Result<Self, RanksError> {
        Self::of(&|name| std::env::var(name).ok())
    }

    fn of(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, RanksError> {
        let number = |name: &str| -> Result<Option<usize>, RanksError> {
            let wrong = |text: &str| RanksError::Launch(format!("{name} is '{text}', which is no number"));
            variable(name).map(|text| text.trim().parse().map_err(|_| wrong(&text))).transpose()
        };
        let (rank, count) = match (number("RANK")?, number("WORLD_SIZE")?) {
            (None, None) => return Ok(Self { rank: 0, count: 1, first: String::new() }),
            (Some(rank), Some(count)) => (rank, count),
            _ => {
                return Err(RanksError::Launch(
                    "RANK and WORLD_SIZE are set together: set both, or none".to_owned(),
                ));
            }
        };
        if rank >= count {
            let text = format!("RANK is {rank}, and there are {count} ranks (WORLD_SIZE), numbered from 0");
            return Err(RanksError::Launch(text));
        }
        let missing = |name: &str| {
            let text = format!("{name} is not set: it is the address or the port at which rank 0 is met");
            RanksError::Launch(text)
        };
        let of_first = |name: &str| variable(name).ok_or_else(|| missing(name));
        let first = if count > 1 {
            format!("{}:{}", of_first("MASTER_ADDR")?, of_first("MASTER_PORT")?)
        } else {
            String::new()
        };
        Ok(Self { rank, count, first })
    }
}

/// Ranks over TCP: a connection to each peer.
#[derive(Debug)]
pub(super) struct Tcp {
    rank: usize,
    count: usize,
    links: BTreeMap<usize, Mutex<TcpStream>>,
}

impl Tcp {
    /// Meets the other ranks: all greet the first, which tells them where the others listen; then peers connect.
    pub(super) fn connect(place: &Place) -> Result<Self, RanksError> {
        let Place { rank, count, first } = place;
        let mut met = Self { rank: *rank, count: *count, links: BTreeMap::new() };
        if *count > 1 {
            let until = Instant::now() + MEETING;
            let links =
                if *rank == 0 { met.receive_all(first, until) } else { met.greet_first(first, until) };
            met.links = links?.into_iter().map(|(peer, link)| (peer, Mutex::new(link))).collect();
        }
        Ok(met)
    }

    /// Rank 0: hears where each rank listens, tells all, and keeps the connections to its own peers.
    fn receive_all(&self, first: &str, until: Instant) -> Result<BTreeMap<usize, TcpStream>, RanksError> {
        let port = first.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        let port = port.ok_or_else(|| RanksError::Launch(format!("'{first}' does not end with a port")))?;
        let listener = TcpListener::bind(("0.0.0.0", port))
            .map_err(|why| RanksError::Launch(format!("rank 0 cannot listen at port {port}: {why}")))?;
        let mut places = BTreeMap::new();
        let links = self.accept(&listener, self.count - 1, until, |link, rank, port| {
            places.insert(rank, SocketAddr::new(link.peer_addr()?.ip(), port).to_string());
            Ok(())
        })?;
        let table: Vec<u8> =
            (1..self.count).flat_map(|rank| format!("{}\n", places[&rank]).into_bytes()).collect();
        for (&peer, link) in &links {
            send(&mut &*link, &table).map_err(|why| self.lost(peer, &why))?;
        }
        Ok(links.into_iter().filter(|(peer, _)| peer.is_power_of_two()).collect())
    }

    /// Another rank: greets the first, hears where all listen, and meets its peers. Of two the lower one listens.
    fn greet_first(&self, first: &str, until: Instant) -> Result<BTreeMap<usize, TcpStream>, RanksError> {
        let own =
            |why: std::io::Error| RanksError::Launch(format!("rank {} cannot listen: {why}", self.rank));
        let listener = TcpListener::bind(("0.0.0.0", 0)).map_err(own)?;
        let port = listener.local_addr().map_err(own)?.port();
        let link = self.greet(0, first, port, until)?;
        let table = receive(&mut &link, 1 << 20).map_err(|why| self.lost(0, &why))?;
        let table = String::from_utf8_lossy(&table).into_owned();
        let places: Vec<&str> = table.lines().collect();
        let mut links = BTreeMap::new();
        if self.rank.is_power_of_two() {
            links.insert(0, link);
        }
        let peers: Vec<usize> = (0..self.count.ilog2()).map(|bit| self.rank ^ (1 << bit)).collect();
        for &peer in peers.iter().filter(|&&peer| peer < self.rank && peer > 0) {
            links.insert(peer, self.greet(peer, places[peer - 1], 0, until)?);
        }
        let higher = peers.iter().filter(|&&peer| peer > self.rank).count();
        links.append(&mut self.accept(&listener, higher, until, |_, _, _| Ok(()))?);
        Ok(links)
    }

    /// Connects to a rank that may not be there yet.
    fn greet(&self, peer: usize, place: &str, port: u16, until: Instant) -> Result<TcpStream, RanksError> {
        loop {
            let met = (|| {
                let address = place.to_socket_addrs()?.next();
                let address = address.ok_or_else(|| std::io::Error::other("no such address"))?;
                let mut link = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
                link.set_nodelay(true)?;
                let mut greeting = GREETING.to_vec();
                [self.rank, self.count, usize::from(port)]
                    .iter()
                    .for_each(|&number| greeting.extend((number as u64).to_le_bytes()));
                link.write_all(&greeting)?;
                Ok::<_, std::io::Error>(link)
            })();
            match met {
                Ok(link) => return Ok(link),
                Err(why) if Instant::now() > until => {
                    let text = format!("rank {} cannot reach rank {peer} at {place}: {why}", self.rank);
                    return Err(RanksError::Launch(text));
                }
                Err(_) => std::thread::sleep(AGAIN),
            }
        }
    }

    /// Waits for `count` ranks to connect. Whoever greets otherwise than a rank of this run does is turned away.
    fn accept(
        &self,
        listener: &TcpListener,
        count: usize,
        until: Instant,
        mut met: impl FnMut(&TcpStream, usize, u16) -> std::io::Result<()>,
    ) -> Result<BTreeMap<usize, TcpStream>, RanksError> {
        let mut links = BTreeMap::new();
        let own =
            |why: std::io::Error| RanksError::Launch(format!("rank {} cannot listen: {why}", self.rank));
        listener.set_nonblocking(true).map_err(own)?;
        while links.len() < count {
            match listener.accept() {
                Ok((link, _)) => {
                    if let Some((rank, link)) =
                        self.greeted(link, &mut met).filter(|(rank, _)| !links.contains_key(rank))
                    {
                        links.insert(rank, link);
                    }
                }
                Err(_) if Instant::now() < until => std::thread::sleep(AGAIN),
                Err(_) => {
                    let text = format!(
                        "rank {} waited {} s, and {} of {count} ranks came: start all WORLD_SIZE of them, with one MASTER_ADDR \
                         and MASTER_PORT",
                        self.rank,
                        MEETING.as_secs(),
                        links.len()
                    );
                    return Err(RanksError::Launch(text));
                }
            }
        }
        Ok(links)
    }

    /// The rank that greets through a connection, if it is one of this run.
    fn greeted(
        &self,
        link: TcpStream,
        met: &mut impl FnMut(&TcpStream, usize, u16) -> std::io::Result<()>,
    ) -> Option<(usize, TcpStream)> {
        link.set_nonblocking(false).ok()?;
        link.set_nodelay(true).ok()?;
        link.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        let mut greeting = [0; 32];
        (&link).read_exact(&mut greeting).ok()?;
        let mut words = greeting.as_chunks::<8>().0.iter();
        if words.next()? != &GREETING {
            return None;
        }
        let mut number = || words.next().map(|word| u64::from_le_bytes(*word) as usize);
        let (rank, count, port) = (number()?, number()?, number()?);
        if count != self.count || rank >= count || rank == self.rank {
            return None;
        }
        met(&link, rank, port as u16).ok()?;
        link.set_read_timeout(None).ok()?;
        Some((rank, link))
    }

    fn lost(&self, peer: usize, why: &std::io::Error) -> RanksError {
        let why = match why.kind() {
            std::io::ErrorKind::UnexpectedEof
            | std::io::ErrorKind::ConnectionReset
            | std::io::ErrorKind::BrokenPipe => "it has ended".to_owned(),
            _ => why.to_string(),
        };
        RanksError::Lost { rank: self.rank, peer, why }
    }
}

impl Ranks for Tcp {
    fn rank(&self) -> usize {
        self.rank
    }

    fn count(&self) -> usize {
        self.count
    }

    fn exchange(&self, peer: usize, bytes: &[u8]) -> Result<Vec<u8>, RanksError> {
        /// Beyond any network; a longer answer is not one of a rank.
        const MOST: u64 = 1 << 36;
        let unknown = || RanksError::Launch(format!("rank {} has no connection to rank {peer}", self.rank));
        let link = self.links.get(&peer).ok_or_else(unknown)?;
        let link = link.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Both send at once: whoever only sent would wait for the other to read.
        let (sent, received) = std::thread::scope(|scope| {
            let sending = scope.spawn(|| send(&mut &*link, bytes));
            let received = receive(&mut &*link, MOST);
            (sending.join(), received)
        });
        match sent {
            Ok(sent) => sent.map_err(|why| self.lost(peer, &why))?,
            Err(panic) => std::panic::resume_unwind(panic),
        }
        received.map_err(|why| self.lost(peer, &why))
    }
}

fn send(link: &mut impl Write, bytes: &[u8]) -> std::io::Result<()> {
    link.write_all(&(bytes.len() as u64).to_le_bytes())?;
    link.write_all(bytes)?;
    link.flush()
}

fn receive(link: &mut impl Read, most: u64) -> std::io::Result<Vec<u8>> {
    let mut length = [0; 8];
    link.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > most {
        return Err(std::io::Error::other("it sends what no rank sends"));
    }
    let mut bytes = Vec::new();
    link.take(length).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < length {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(variables: &[(&str, &str)]) -> Result<Place, String> {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Place::of(&variable).map_err(|error| error.to_string())
    }

    fn free_port() -> u16 {
        TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
    }

    #[test]
    fn the_variables_of_a_launcher_are_read_or_named() {
        let all = [("RANK", "1"), ("WORLD_SIZE", "2"), ("MASTER_ADDR", "node7"), ("MASTER_PORT", "29500")];
        assert_eq!(place(&all).unwrap(), Place { rank: 1, count: 2, first: "node7:29500".to_owned() });
        assert_eq!(place(&[]).unwrap().count, 1);
        for (variables, named) in [
            (&all[..1], "WORLD_SIZE"),
            (&all[..2], "MASTER_ADDR"),
            (&all[..3], "MASTER_PORT"),
            (&[("RANK", "2"), ("WORLD_SIZE", "2")][..], "RANK is 2"),
            (&[("RANK", "x"), ("WORLD_SIZE", "2")][..], "RANK is 'x'"),
        ] {
            let error = place(variables).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn every_rank_reaches_its_peers_though_strangers_knock() {
        for count in [1, 2, 4, 8] {
            let first = format!("127.0.0.1:{}", free_port());
            let met = std::thread::scope(|scope| {
                let ranks = (0..count).rev().map(|rank| {
                    let place = Place { rank, count, first: first.clone() };
                    scope.spawn(move || {
                        let ranks = Tcp::connect(&place).unwrap();
                        let peers = (0..count.ilog2()).map(|bit| rank ^ (1 << bit));
                        // Far more than a socket holds.
                        let own = vec![rank as u8; 3 << 20];
                        peers.map(|peer| (peer, ranks.exchange(peer, &own).unwrap())).collect::<Vec<_>>()
                    })
                });
                let ranks: Vec<_> = ranks.collect();
                let stranger = TcpStream::connect(&first)
                    .and_then(|mut link| link.write_all(b"GET / HTTP/1.1\r\n\r\n, and a lot more"));
                drop(stranger);
                ranks.into_iter().map(|rank| rank.join().unwrap()).collect::<Vec<_>>()
            });
            for told in met {
                assert!(
                    told.iter().all(|(peer, bytes)| *bytes == vec![*peer as u8; 3 << 20]),
                    "{count} ranks"
                );
            }
        }
    }

    #[test]
    fn a_rank_that_ends_is_named_by_its_peer() {
        let first = format!("127.0.0.1:{}", free_port());
        let error = std::thread::scope(|scope| {
            let place = |rank| Place { rank, count: 2, first: first.clone() };
            let (zero, one) = (place(0), place(1));
            let ends = scope.spawn(move || drop(Tcp::connect(&one).unwrap()));
            let stays = scope.spawn(move || Tcp::connect(&zero).unwrap().exchange(1, b"hello").unwrap_err());
            ends.join().unwrap();
            stays.join().unwrap()
        });
        assert!(error.to_string().starts_with("rank 0 lost rank 1: it has ended"), "{error}");
    }
}
