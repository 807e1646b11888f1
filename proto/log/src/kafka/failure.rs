//! Kafka's errors as ours.

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

use crate::LogError;

/// What an error of the client means to those who use the log.
pub(super) fn log_error(error: &KafkaError) -> LogError {
    error.rdkafka_error_code().map_or_else(|| LogError::Unavailable(error.to_string()), from_code)
}

/// What an error code of librdkafka or of the brokers means.
pub(super) fn from_code(code: Code) -> LogError {
    match code {
        Code::QueueFull => LogError::Full,
        Code::MessageTimedOut | Code::RequestTimedOut | Code::OperationTimedOut => LogError::Deadline,
        Code::MessageSizeTooLarge | Code::MessageBatchTooLarge | Code::InvalidMessage | Code::InvalidMessageSize => {
            LogError::Refused(code.to_string())
        }
        Code::UnknownTopic
        | Code::UnknownTopicOrPartition
        | Code::UnknownPartition
        | Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed
        | Code::SaslAuthenticationFailed
        | Code::Authentication
        | Code::UnsupportedSASLMechanism
        | Code::SSL
        | Code::InvalidReplicationFactor
        | Code::InvalidPartitions
        | Code::PolicyViolation => LogError::Setup(code.to_string()),
        other => LogError::Unavailable(other.to_string()),
    }
}
